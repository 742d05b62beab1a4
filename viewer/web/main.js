/** Opens the page: asks what is shown, builds the panels, draws the graph. */

import { ask } from './app/api.js';
import { App } from './app/app.js';
import { Bar } from './app/bar.js';
import { Compare } from './app/compare.js';
import { CutPanel } from './app/cut.js';
import { askName } from './app/dialogs.js';
import { fill, h, part, said } from './app/dom.js';
import { t } from './app/i18n.js';
import { InfoPanel } from './app/info.js';
import { listenToKeys } from './app/keys.js';
import { recall } from './app/memory.js';
import { Status } from './app/status.js';
import { installTesting, prepareWorker } from './engine/engine.js';
import { button } from './app/widgets.js';

/** @typedef {import('./app/types.js').Session} Session */

/** @param {App} app */
function dress(app) {
  const theme = recall('theme');
  app.setTheme(theme === 'light' || theme === 'dark' ? theme : 'auto');
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => app.setTheme(app.store.state.theme));
  const skip = () => {
    part('skip').textContent = t('app.skip');
  };
  app.store.on(['language'], skip);
  app.setLanguage(recall('language') || navigator.language);
  skip();
}

/** @param {App} app */
async function open(app) {
  prepareWorker();
  const stage = part('stage');
  fill(stage, h('p', { class: 'loading', role: 'status', text: t('app.loading') }));
  app.fetchGraph(0, '').catch(() => {}); // what fails is told where the graph is asked for again, to be shown
  /** @type {Session} */
  const session = await ask('/api/session');
  if (!recall('language') && session.language) app.setLanguage(session.language);
  app.store.set({ session });
  document.title = `${session.models[0].name} – subcut`;
  fill(stage, h('p', { class: 'loading', role: 'status', text: t('app.drawing', { n: session.models[0].count }) }));
  await app.openPanes(stage);
  stage.querySelector('.loading')?.remove();
  installTesting(app.panes[0].canvas);
  app.compare = new Compare(stage, app);
  app.listen();
  if (session.selection) void app.selecting.adopt(session.selection).then(() => app.goToCut());
  if (session.question) await askQuestion(app, session.question);
}

/** @param {App} app @param {NonNullable<Session["question"]>} question */
async function askQuestion(app, question) {
  const goes = await askName(question);
  const { session } = app.store.state;
  if (!goes && session) {
    app.panes[0].mark({ fused: [], dumped: null });
    if (app.store.state.pair) await app.togglePair();
    app.store.set({
      session: {
        ...session,
        models: session.models.filter(({ side }) => side !== 'offline'),
        offline: false,
        question: undefined,
      },
    });
  }
}

/** @param {unknown} error */
function failed(error) {
  const why = error instanceof Error ? error.message : String(error);
  const text = why === 'unreachable' ? t('app.unreachable') : why;
  fill(
    part('stage'),
    h(
      'div',
      { class: 'failure', role: 'alert' },
      h('h2', { text: t('app.failed') }),
      h('p', {}, ...said(text)),
      button({ text: t('app.reload') }, () => location.reload()),
    ),
  );
}

const app = new App();
dress(app);
const bar = new Bar(part('bar'), app);
new CutPanel(part('cut'), app);
new InfoPanel(part('info'), app);
app.views = { bar, status: new Status(part('status'), app) };
listenToKeys(app, { focus: () => bar.search?.focus() });
open(app).catch(failed);
