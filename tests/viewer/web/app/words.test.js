// Both languages say everything, with the same values put in.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { format, headline, speak, t } from '../../../../viewer/web/app/i18n.js';
import { en } from '../../../../viewer/web/app/words.en.js';
import { zh, zhDiagnostics } from '../../../../viewer/web/app/words.zh.js';

const APP = new URL('../../../../viewer/web/app/', import.meta.url);

test('English and Chinese have the same keys', () => {
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
});

test('a text has the same values in both languages', () => {
  const values = (text) => [...new Set([...text.matchAll(/\{(\w+)/g)].map((match) => match[1]))].sort();
  for (const key of Object.keys(en)) assert.deepEqual(values(zh[key]), values(en[key]), key);
});

test('every word is used, and every word that is used exists', () => {
  const code =
    readdirSync(APP)
      .filter((name) => name.endsWith('.js') && !name.startsWith('words.'))
      .map((name) => readFileSync(new URL(name, APP), 'utf8'))
      .join('\n') + readFileSync(new URL('../main.js', APP), 'utf8');
  const unused = Object.keys(en).filter((key) => !code.includes(`"${key}"`) && !code.includes(`'${key}'`));
  assert.deepEqual(unused, []);
});

test('values are put in, with the word that fits the number', () => {
  assert.equal(format('{n} {n#operator|operators}', { n: 1 }, 'en'), '1 operator');
  assert.equal(format('{n} {n#operator|operators}', { n: 12345 }, 'en'), '12,345 operators');
  assert.equal(format('{what} stays', {}, 'en'), '{what} stays');
  assert.equal(format('`{name}`', { name: '{n}<img>' }, 'en'), '`{n}<img>`');
});

test('every code that a selection can be refused with has a Chinese headline', () => {
  const text = readFileSync(new URL('../../../../docs/diagnostics.md', import.meta.url), 'utf8');
  const codes = [...text.matchAll(/^### `([a-z-]+)`$/gm)].map((match) => match[1]);
  assert.ok(codes.length > 35 && codes.includes('reversed-selection'));
  assert.deepEqual(codes.filter((code) => !(code in zhDiagnostics)), []);
  const documented = new Set([...text.matchAll(/[`[]([a-z]+(?:-[a-z]+)+|syntax)[`\]]/g)].map((match) => match[1]));
  assert.deepEqual(Object.keys(zhDiagnostics).filter((code) => !documented.has(code)), [], 'and no code that is not there');
  speak('zh');
  for (const code of codes) assert.match(headline(code), /\p{Script=Han}/u, code);
  assert.equal(headline('toString'), '');
  speak('en');
  assert.equal(headline('syntax'), '', 'the message says it');
});

test('what is unknown is English', () => {
  assert.equal(speak('zh-TW'), 'zh');
  assert.equal(t('app.close'), '关闭');
  assert.equal(speak('fr'), 'en');
  assert.equal(t('app.close'), 'Close');
});
