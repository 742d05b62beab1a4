/** The bar at the top: what is open, the search, and what concerns the whole page. */

import { fill, h } from './dom.js';
import { openHelp, openPictures, openSettings } from './dialogs.js';
import { t } from './i18n.js';
import { SearchField } from './search-field.js';
import { button } from './widgets.js';

/** @typedef {import('./app.js').App} App */

export class Bar {
  /** @param {HTMLElement} element @param {App} app */
  constructor(element, app) {
    this.element = element;
    this.app = app;
    /** What of the session the bar was built for. */
    this.built = '';
    this.build();
    app.store.on(['language'], () => this.build());
    // Anything else of the session must not take the search field from under somebody's fingers.
    app.store.on(['session'], () => this.shows() !== this.built && this.build());
    app.store.on(['overlay', 'pair', 'showCut', 'showInfo'], () => this.update());
    app.store.on(['hits'], () => this.search?.update());
  }

  /** What of the session stands in the bar. */
  shows() {
    const { session } = this.app.store.state;
    return JSON.stringify([session?.models, session?.report]);
  }

  build() {
    const { app } = this;
    const { session } = app.store.state;
    this.built = this.shows();
    const model = session?.models[0];
    this.search = new SearchField(app);
    const flip = (/** @type {"showCut" | "showInfo"} */ key) => app.store.set({ [key]: !app.store.state[key] });
    this.cut = button({ icon: 'left', label: t('bar.cut'), pressed: true, id: 'toggle-cut' }, () => flip('showCut'));
    this.info = button({ icon: 'right', label: t('bar.info'), pressed: true, id: 'toggle-info' }, () =>
      flip('showInfo'),
    );
    this.errors = session?.report
      ? button(
          {
            icon: 'errors',
            text: t('bar.compare'),
            title: t('bar.compare.hint'),
            pressed: false,
            id: 'toggle-errors',
            class: 'tool wide',
          },
          () => void app.compare?.toggle(),
        )
      : null;
    this.pair =
      (session?.models.length ?? 0) > 1
        ? button(
            {
              icon: 'pair',
              text: t('bar.pair'),
              title: t('bar.pair.hint'),
              pressed: false,
              id: 'toggle-pair',
              class: 'tool wide',
            },
            () => void app.togglePair(),
          )
        : null;
    fill(
      this.element,
      this.cut,
      h('h1', { class: 'brand' }, 'subcut'),
      model &&
        h(
          'div',
          { class: 'model' },
          h('span', { class: 'model-name', text: model.name, title: model.name }),
          h('span', { class: 'hint', text: `${model.format} · ${t('app.operators', { n: model.count })}` }),
        ),
      this.search.element,
      h(
        'div',
        { class: 'bar-tools', role: 'toolbar', 'aria-label': t('bar.label') },
        this.errors,
        this.pair,
        button({ icon: 'picture', label: t('bar.picture'), id: 'pictures' }, (event) =>
          openPictures(app, /** @type {HTMLElement} */ (event.currentTarget)),
        ),
        button({ icon: 'settings', label: t('bar.settings'), id: 'settings' }, () => openSettings(app)),
        button({ icon: 'help', label: t('bar.help'), id: 'help' }, () => openHelp()),
        this.info,
      ),
    );
    this.update();
  }

  update() {
    const { overlay, pair, showCut, showInfo } = this.app.store.state;
    this.cut?.setAttribute('aria-pressed', String(showCut));
    this.info?.setAttribute('aria-pressed', String(showInfo));
    this.errors?.setAttribute('aria-pressed', String(overlay.on));
    this.pair?.setAttribute('aria-pressed', String(pair));
  }
}
