/** Two fingers on the picture. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pinched } from '../../../viewer/web/engine/input.js';
import { randomNumbers } from './graphs.js';

/** What `Canvas.panBy` and `Canvas.zoomAt` make of a pinch, without their limits. */
function moved({ x, y, zoom }, { dx, dy, factor, ...at }) {
  const [left, top, next] = [x - dx / zoom, y - dy / zoom, zoom * factor];
  return { x: left + at.x / zoom - at.x / next, y: top + at.y / zoom - at.y / next, zoom: next };
}

test('what lies under two fingers stays under them, however they move, as long as they do not turn', () => {
  const next = randomNumbers(7);
  for (let round = 0; round < 100; round++) {
    const [ux, uy] = [next() - 0.5, next() - 0.5];
    const finger = (at, away) => ({ x: at.x + ux * away, y: at.y + uy * away });
    let view = { x: next() * 100, y: next() * 100, zoom: 0.5 + next() };
    let [a, b] = [0, 300].map((away) => finger({ x: 200, y: 200 }, away));
    const under = (point) => [view.x + point.x / view.zoom, view.y + point.y / view.zoom];
    const before = [under(a), under(b)];
    const to = { x: 400 * next(), y: 400 * next() };
    const [toA, toB] = [finger(to, 0), finger(to, 100 + 500 * next())];
    view = moved(view, pinched(b, a, toA));
    a = toA;
    view = moved(view, pinched(a, b, toB));
    b = toB;
    const after = [under(a), under(b)];
    const [width, was] = [after, before].map(([p, q]) => Math.hypot(p[0] - q[0], p[1] - q[1]));
    // A finger at a time turns the pair a little on the way: the middle stays where it is, the rest nearly.
    assert.ok(width / was > 0.2 && width / was < 5);
  }
  const plain = moved({ x: 10, y: 20, zoom: 1 }, pinched({ x: 100, y: 100 }, { x: 200, y: 100 }, { x: 300, y: 100 }));
  assert.deepEqual(plain, { x: 60, y: 70, zoom: 2 }, 'as far apart again: twice as large, and the resting finger rests');
});

test('fingers that go the same way move the picture; fingers on one spot do nothing wild', () => {
  let view = { x: 0, y: 0, zoom: 1 };
  let fingers = [{ x: 100, y: 100 }, { x: 200, y: 100 }];
  for (let step = 0; step < 20; step++) {
    for (const at of [0, 1]) {
      const to = { x: fingers[at].x, y: fingers[at].y + 5 };
      view = moved(view, pinched(fingers[1 - at], fingers[at], to));
      fingers = fingers.map((finger, k) => (k === at ? to : finger));
    }
  }
  assert.ok(Math.abs(view.y + 100) < 1 && Math.abs(view.x) < 1 && Math.abs(view.zoom - 1) < 1e-6, JSON.stringify(view));
  const { factor } = pinched({ x: 5, y: 5 }, { x: 5, y: 5 }, { x: 9, y: 9 });
  assert.equal(factor, 1);
});
