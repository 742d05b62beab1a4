/** Export, verify, save: the dialogs that begin them. The job itself runs on the server. */

import { ask, Refusal } from './api.js';
import { h, said } from './dom.js';
import { t } from './i18n.js';
import { begun } from './job.js';
import { jobCard } from './job-card.js';
import { button, dialog, notify } from './widgets.js';

/** @typedef {import('./app.js').App} App */

/**
 * Starts the server's job.
 * @param {App} app
 * @param {"export" | "verify"} what
 * @param {Record<string, unknown>} options
 */
export async function startJob(app, what, options) {
  const { text } = app.store.state.choice;
  app.store.set({ job: begun(what) });
  try {
    if (what === 'verify') await ask('/api/verify', { text });
    else await ask('/api/export', { text, options });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const message = error.code === 'unreachable' ? t('app.unreachable') : error.message;
    app.store.set({ job: { ...begun(what), state: 'failed', message, help: error.help } });
  }
}

/** @param {"infer" | "fold" | "link" | "verify"} name @param {boolean} checked */
function option(name, checked) {
  const box = h('input', { type: 'checkbox', name, checked });
  const words = {
    infer: t('export.infer'),
    fold: t('export.fold'),
    link: t('export.link'),
    verify: t('export.verify'),
  };
  const reasons = {
    infer: t('export.infer.why'),
    fold: t('export.fold.why'),
    link: t('export.link.why'),
    verify: t('export.verify.why'),
  };
  return {
    box,
    row: h('label', { class: 'option' }, box, h('span', {}, words[name], h('small', { text: reasons[name] }))),
  };
}

/** @param {App} app */
export function openExport(app) {
  const { choice, session, job } = app.store.state;
  const { chosen } = choice;
  if (choice.state !== 'ok' || !chosen || !session || job?.state === 'running') return;
  const infer = option('infer', true);
  const fold = option('fold', true);
  const link = option('link', false);
  const verify = option('verify', false);
  const onnx = session.models[0].format === 'onnx';
  const body = h('div', { class: 'dialog-body' });
  const foot = h('footer');
  const box = dialog(t('export.title'), () => [body, foot], 'export');
  const go = button({ text: t('export.start'), class: 'button primary' }, () => {
    const options = {
      infer: infer.box.checked,
      fold: fold.box.checked,
      verify: verify.box.checked,
      device: Boolean(session.offline),
      ...(onnx ? { link: link.box.checked } : {}),
    };
    void startJob(app, 'export', options);
    showProgress(app, box, body, foot);
  });
  const counts = { ops: chosen.ops.length, inputs: chosen.inputs.length, outputs: chosen.outputs.length };
  body.append(
    h('p', { text: t('export.what', counts) }),
    h('pre', { class: 'said', text: chosen.text || choice.text, tabindex: '0' }),
    h('dl', {}, h('dt', { text: t('export.into') }), h('dd', {}, h('code', { text: session.output }))),
    h('div', { class: 'options' }, infer.row, fold.row, onnx && link.row, verify.row),
  );
  foot.append(
    button({ text: t('export.cancel') }, () => box.close()),
    go,
  );
  go.focus();
}

/** @param {App} app @param {HTMLDialogElement} box @param {HTMLElement} body @param {HTMLElement} foot */
function showProgress(app, box, body, foot) {
  const place = h('div');
  const close = button({ text: t('export.hide') }, () => box.close());
  body.replaceChildren(place);
  foot.replaceChildren(close);
  const show = () => {
    const { job, connected } = app.store.state;
    jobCard(place, app, job, connected);
    const running = job?.state === 'running';
    close.replaceChildren(h('span', { text: t(running ? 'export.hide' : 'export.done') }));
    close.classList.toggle('primary', !running);
  };
  const stop = app.store.on(['job', 'connected'], show);
  box.addEventListener('close', stop);
  show();
  close.focus();
}

/** @param {App} app */
export function openSave(app) {
  const { choice, session } = app.store.state;
  if (choice.state !== 'ok' || !session) return;
  const field = h('input', {
    type: 'text',
    value: 'selection',
    required: true,
    id: 'save-name',
    autocomplete: 'off',
    pattern: '[^\\/\\\\]+',
    'aria-describedby': 'save-said',
  });
  const line = h('p', { id: 'save-said', class: 'problem-line', role: 'alert' });
  let replace = false;
  const save = button({ text: t('save.save'), class: 'button primary' });
  save.type = 'submit';
  const form = h(
    'form',
    { class: 'dialog-body', novalidate: true },
    h('label', { for: 'save-name', text: t('save.name') }),
    h('div', { class: 'suffixed' }, field, h('span', { text: '.subcut' })),
    h('p', { class: 'hint', text: t('save.into', { folder: session.output }) }),
    line,
    h(
      'footer',
      {},
      button({ text: t('export.cancel') }, () => box.close()),
      save,
    ),
  );
  const box = dialog(t('save.title'), () => [form], 'save');
  const reset = () => {
    replace = false;
    line.textContent = '';
    save.replaceChildren(h('span', { text: t('save.save') }));
  };
  field.addEventListener('input', reset);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void submit();
  });
  async function submit() {
    const name = field.value.trim().replace(/\.subcut$/, '');
    if (!name || /[/\\]/.test(name)) {
      line.textContent = t('save.bad');
      return;
    }
    const outcome = await send(choice.text, name, replace);
    if (outcome === 'saved') {
      box.close();
      notify(t('save.saved', { name: `${name}.subcut` }), { kind: 'good' });
    } else if (outcome === 'exists') {
      replace = true;
      line.replaceChildren(...said(t('save.exists', { name: `${name}.subcut` })));
      save.replaceChildren(h('span', { text: t('save.replace') }));
    } else line.textContent = outcome;
  }
  field.select();
}

/** @param {string} text @param {string} name @param {boolean} confirm @returns {Promise<string>} "saved", "exists", or why not */
async function send(text, name, confirm) {
  try {
    /** @type {{ok?: boolean, exists?: boolean}} */
    const answer = await ask('/api/save', { text, name, ...(confirm ? { confirm: true } : {}) });
    return answer.exists || answer.ok === false ? 'exists' : 'saved';
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (/exists/.test(error.code)) return 'exists';
    return error.code === 'unreachable' ? t('app.unreachable') : error.message;
  }
}
