/** Small dialogs: settings, keys, pictures, and the question whether the offline model belongs to the original. */

import { h, said } from './dom.js';
import { t } from './i18n.js';
import { ASKED, lacksInfo, savePicture } from './pictures.js';
import { progressNotice } from './progress.js';
import { button, dialog, menu, notify } from './widgets.js';

/** @typedef {import('./app.js').App} App */

/** @param {App} app */
export function openSettings(app) {
  const { language, theme } = app.store.state;
  const languages = h(
    'select',
    { id: 'language' },
    h('option', { value: 'en', lang: 'en', text: 'English', selected: language === 'en' }),
    h('option', { value: 'zh', lang: 'zh-CN', text: '中文', selected: language === 'zh' }),
  );
  const themes = h(
    'select',
    { id: 'theme' },
    ...themesOf().map(([value, text]) => h('option', { value, text, selected: theme === value })),
  );
  const box = dialog(
    t('settings.title'),
    () => [
      h(
        'div',
        { class: 'dialog-body settings' },
        h('label', { for: 'language', text: t('settings.language') }),
        languages,
        h('label', { for: 'theme', text: t('settings.theme') }),
        themes,
      ),
    ],
    'small',
  );
  languages.addEventListener('change', () => {
    app.setLanguage(languages.value);
    // The dialog itself is to speak the new language too.
    box.close();
    openSettings(app);
  });
  themes.addEventListener('change', () => app.setTheme(/** @type {"auto" | "light" | "dark"} */ (themes.value)));
  languages.focus();
}

/** @returns {["auto" | "light" | "dark", string][]} */
function themesOf() {
  return [
    ['auto', t('settings.theme.auto')],
    ['light', t('settings.theme.light')],
    ['dark', t('settings.theme.dark')],
  ];
}

export function openHelp() {
  /** @type {[string[], string][]} */
  const keys = [
    [['/'], t('help.search')],
    [['↑', '↓', '←', '→'], t('help.arrows')],
    [['Enter'], t('help.select')],
    [['S'], t('help.start')],
    [['E'], t('help.end')],
    [['X'], t('help.clear')],
    [['Ctrl+Z'], t('help.undo')],
    [['N', '⇧N'], t('help.next')],
    [['+', '−', '0'], t('help.zoom')],
    [['Home'], t('help.home')],
    [['F'], t('help.find')],
    [['Ctrl+C'], t('help.copy')],
    [['M'], t('help.menu')],
    [['Ctrl+Enter'], t('help.export')],
    [['Esc'], t('help.escape')],
    [['?'], t('help.help')],
  ];
  const rows = keys.map(([names, what]) =>
    h('div', {}, h('dt', {}, ...names.map((name) => h('kbd', { text: name }))), h('dd', { text: what })),
  );
  rows.push(
    h(
      'div',
      { class: 'wide' },
      h('dt', { class: 'hint', text: t('help.mouse') }),
      h('dd', { text: t('help.mouse.what') }),
    ),
  );
  dialog(t('help.title'), () => [h('div', { class: 'dialog-body' }, h('dl', { class: 'keys' }, ...rows))], 'help');
}

/** @param {App} app @param {HTMLElement} below */
export function openPictures(app, below) {
  const box = below.getBoundingClientRect();
  const save = (/** @type {import('./pictures.js').Picture} */ what) => async () => {
    const watch = what === 'html' ? progressNotice(t('picture.saving')) : undefined;
    try {
      const name = await savePicture(app.active, what, app.store.state.session?.models[app.active.model]?.name ?? 'model', watch);
      const values = { name, n: app.active.graph.count, most: ASKED };
      if (lacksInfo(app.active, what)) notify(t('picture.without', values));
      else notify(t('picture.saved', { name }), { kind: 'good' });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (watch?.signal.aborted) notify(t('picture.cancelled'));
      else notify(t('picture.failed', { why }), { kind: 'bad' });
    } finally {
      watch?.end();
    }
  };
  menu(
    t('picture.title'),
    [
      { text: t('picture.title') },
      { text: t('picture.svg'), icon: 'picture', run: save('svg') },
      { text: t('picture.png'), icon: 'picture', run: save('png') },
      { text: t('picture.viewsvg'), icon: 'fit', rule: true, run: save('view-svg') },
      { text: t('picture.view'), icon: 'fit', run: save('view-png') },
      { text: t('picture.html'), icon: 'pair', rule: true, run: save('html') },
    ],
    box.left,
    box.bottom + 4,
    below,
  );
}

/**
 * Row S2: the name in the offline model is another than the original's.
 * @param {string | import('./types.js').NameQuestion} question
 * @returns {Promise<boolean>}  whether to go on with the offline model
 */
export function askName(question) {
  return new Promise((resolve) => {
    let goes = true;
    const asked = typeof question === 'string' ? { text: question } : question;
    const box = dialog(
      t('question.title'),
      () => [
        h(
          'div',
          { class: 'dialog-body' },
          h('p', {}, ...said(asked.text)),
          (asked.recorded || asked.original) &&
            h(
              'dl',
              { class: 'attributes' },
              h('div', {}, h('dt', { text: t('question.recorded') }), h('dd', { text: asked.recorded ?? '' })),
              h('div', {}, h('dt', { text: t('question.original') }), h('dd', { text: asked.original ?? '' })),
            ),
        ),
        h(
          'footer',
          {},
          button({ text: t('question.stop'), id: 'question-stop' }, () => {
            goes = false;
            box.close();
          }),
          button({ text: t('question.go'), class: 'button primary', id: 'question-go' }, () => box.close()),
        ),
      ],
      'question',
    );
    box.addEventListener('close', () => resolve(goes));
    /** @type {HTMLElement | null} */ (box.querySelector('#question-go'))?.focus();
  });
}
