/**
 * What is in sight, once more as elements: for screen readers, for keyboards and for tests.
 *
 * The elements lie unseen above what they stand for. They are made when the picture has come to rest; while it moves,
 * the whole tree is moved along.
 *
 * @module
 * @typedef {import('./scene.js').Scene} Scene
 * @typedef {import('./marks.js').NodeMarks} NodeMarks
 */

import { MARK } from './marks.js';
import { isContainer, locate, NODE } from './nodes.js';

const MOST = 200;
const REST = 120;

/** @typedef {{x: number, y: number, zoom: number, width: number, height: number}} Sight */

export class Mirror {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.tree = document.createElement('div');
    this.tree.setAttribute('role', 'tree');
    this.tree.setAttribute('aria-label', 'graph');
    this.tree.tabIndex = 0;
    this.tree.className = 'mirror';
    Object.assign(this.tree.style, {
      position: 'absolute', inset: '0', overflow: 'hidden', outlineOffset: '-2px', userSelect: 'none',
    });
    this.layer = document.createElement('div');
    this.layer.setAttribute('role', 'presentation');
    Object.assign(this.layer.style, { position: 'absolute', inset: '0', transformOrigin: '0 0' });
    this.tree.append(this.layer);
    host.append(this.tree);
    this.timer = 0;
    /** @type {Sight | null} */
    this.built = null;
    this.prefix = `n${Math.floor(performance.now() * 1000).toString(36)}`;
  }

  /**
   * @param {Scene} scene
   * @param {NodeMarks} marks
   * @param {Sight} sight
   * @param {number} focus node
   */
  follow(scene, marks, sight, focus) {
    clearTimeout(this.timer);
    if (this.built) {
      const scale = sight.zoom / this.built.zoom;
      const [dx, dy] = [(this.built.x - sight.x) * sight.zoom, (this.built.y - sight.y) * sight.zoom];
      this.layer.style.transform = `translate(${dx}px, ${dy}px) scale(${scale})`;
    }
    this.timer = window.setTimeout(() => this.build(scene, marks, sight, focus), this.built ? REST : 0);
  }

  /**
   * @param {Scene} scene
   * @param {NodeMarks} marks
   * @param {Sight} sight
   * @param {number} focus
   */
  build(scene, marks, sight, focus) {
    const { layout } = scene;
    const [right, bottom] = [sight.x + sight.width / sight.zoom, sight.y + sight.height / sight.zoom];
    const seen = [...scene.boxes.query(sight.y, bottom, []), ...scene.nodes.query(sight.y, bottom, [])]
      .filter((node) => layout.x[node] <= right && layout.x[node] + layout.w[node] >= sight.x)
      .sort((a, b) => layout.y[a] - layout.y[b] || layout.x[a] - layout.x[b])
      .slice(0, MOST);
    if (focus >= 0 && !seen.includes(focus)) seen.push(focus);
    this.layer.replaceChildren(...seen.map((node) => this.item(scene, marks, sight, node)));
    this.layer.style.transform = '';
    this.built = { ...sight };
    if (focus >= 0) this.tree.setAttribute('aria-activedescendant', `${this.prefix}-${focus}`);
    else this.tree.removeAttribute('aria-activedescendant');
  }

  /**
   * @param {Scene} scene
   * @param {NodeMarks} marks
   * @param {Sight} sight
   * @param {number} node
   */
  item(scene, marks, sight, node) {
    const { view, layout, depth } = scene;
    const kind = view.kind[node];
    const item = document.createElement('div');
    item.id = `${this.prefix}-${node}`;
    item.setAttribute('role', 'treeitem');
    item.setAttribute('aria-level', String(depth[node] + 1));
    item.setAttribute('aria-selected', String((marks.flags[node] & MARK.selected) !== 0));
    if (kind === NODE.group || isContainer(kind)) item.setAttribute('aria-expanded', String(isContainer(kind)));
    item.setAttribute('aria-label', describe(scene, node));
    const { zoom } = sight;
    Object.assign(item.style, {
      position: 'absolute',
      left: `${(layout.x[node] - sight.x) * zoom}px`,
      top: `${Math.max((layout.y[node] - sight.y) * zoom, -20)}px`,
      width: `${Math.max(layout.w[node] * zoom, 1)}px`,
      height: `${Math.max((isContainer(kind) ? 28 : layout.h[node]) * zoom, 1)}px`,
    });
    return item;
  }

  destroy() {
    clearTimeout(this.timer);
    this.tree.remove();
  }
}

/**
 * What a node is. Its name is the whole one: who hears it does not see the box that says the first part.
 *
 * @param {Scene} scene
 * @param {number} node
 */
export function describe(scene, node) {
  const { title } = scene.text(node);
  const { edges, id, kind, labels } = scene.view;
  const operator = kind[node] === NODE.op || kind[node] === NODE.body;
  const name = operator ? nameOf(locate(scene.view, id[node])) : '';
  const leaving = scene.leaving.items[scene.leaving.offsets[node]];
  const has = scene.leaving.offsets[node] < scene.leaving.offsets[node + 1];
  const label = has && edges.label[leaving] >= 0 ? labels[edges.label[leaving]] : '';
  return [title, name, label].filter(Boolean).join(' ');
}

/** @param {ReturnType<typeof locate>} place */
const nameOf = ({ graph, op }) => graph.names[op];
