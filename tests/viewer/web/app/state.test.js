// The store, the job that events tell, and what is kept from run to run.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { begun, share, told } from '../../../../viewer/web/app/job.js';
import { recallFrom } from '../../../../viewer/web/app/memory.js';
import { Store } from '../../../../viewer/web/app/store.js';

test('who listens to a key is told when it changes, and only then', () => {
  const store = new Store({ one: 1, two: 2 });
  const heard = [];
  const stop = store.on(['one'], (state) => heard.push(state.one));
  store.set({ one: 1 });
  store.set({ two: 3 });
  store.set({ one: 5, two: 6 });
  stop();
  store.set({ one: 7 });
  assert.deepEqual(heard, [5]);
});

test('a listener of two keys that change together is told once', () => {
  const store = new Store({ one: 1, two: 2 });
  let times = 0;
  store.on(['one', 'two'], () => {
    times += 1;
  });
  store.set({ one: 3, two: 4 });
  assert.equal(times, 1);
});

test('events become a job: progress, log, success', () => {
  let job = told(null, { kind: 'progress', what: 'export', stage: 'starting', done: 0, total: 0 });
  assert.equal(share(job), null);
  job = told(job, { kind: 'progress', stage: 'writing', done: 30, total: 40 });
  assert.equal(share(job), 0.75);
  job = told(job, { kind: 'log', time: '2026-01-01 10:00:00', text: 'Export Layer:a,b' });
  job = told(job, { kind: 'done', what: 'export', folder: '/out', files: [{ name: 'dump.onnx', size: 3 }, 'x'] });
  assert.deepEqual(
    [job.state, job.folder, job.files, job.log],
    ['done', '/out', ['dump.onnx', 'x'], ['2026-01-01 10:00:00 Export Layer:a,b']],
  );
});

test('the next job forgets the log of the one before, and a heartbeat changes nothing', () => {
  const old = told(begun('export'), { kind: 'log', text: 'line' });
  for (const kind of ['heartbeat', 'types']) assert.equal(told(old, { kind }), old);
  const next = told(old, { kind: 'progress', what: 'verify', stage: 'starting', done: 0, total: 0 });
  assert.deepEqual([next.what, next.log], ['verify', []]);
});

test('a verification that finds a difference has failed; a cancelled job has not', () => {
  assert.equal(told(begun('verify'), { kind: 'done', good: false, message: '1 differs' }).state, 'failed');
  assert.equal(told(begun('export'), { kind: 'failed', code: 'cancelled' }).state, 'cancelled');
  const broken = told(begun('export'), { kind: 'failed', code: 'bug' });
  assert.deepEqual([broken.state, broken.code], ['failed', 'bug']);
});

test('settings are found among cookies', () => {
  assert.equal(recallFrom('a=b; subcut-theme=dark; subcut-language=zh', 'language'), 'zh');
  assert.equal(recallFrom('xsubcut-theme=dark', 'theme'), '');
});
