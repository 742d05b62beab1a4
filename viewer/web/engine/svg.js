/**
 * A pen that writes SVG: it knows what `paint` uses of a canvas, no more.
 *
 * @module
 */

import { textWidth } from './text.js';

/** What XML 1.0 cannot hold, halves of characters among it. */
const FORBIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
/** @type {Record<string, string>} */
const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const FONT = /^(?:(\d+) )?([\d.]+)px (.*)$/;
/** @type {Record<string, string>} */
const ANCHORS = { left: 'start', center: 'middle', right: 'end' };

/** @param {string} text */
export function escapeXml(text) {
  return text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"]/g, (char) => ESCAPES[char]);
}

/** A tenth of a pixel is plenty. @param {number} value */
const short = (value) => String(Math.round(value * 10) / 10);

/** @implements {Pick<import('./frame.js').Pen, 'fillRect'>} */
export class SvgPen {
  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.fillStyle = '#000';
    this.strokeStyle = '#000';
    this.lineWidth = 1;
    this.font = '10px sans-serif';
    this.textAlign = 'left';
    this.textBaseline = 'middle';
    this.lineJoin = 'round';
    this.dash = '';
    /** @type {string[]} */
    this.path = [];
    /** @type {string[]} */
    this.parts = [];
    this.open = false;
  }

  /**
   * @param {number} a scale
   * @param {number} _b
   * @param {number} _c
   * @param {number} d
   * @param {number} e
   * @param {number} f
   */
  setTransform(a, _b, _c, d, e, f) {
    if (this.open) this.parts.push('</g>');
    this.parts.push(`<g transform="matrix(${a} 0 0 ${d} ${e} ${f})">`);
    this.open = true;
  }

  beginPath() {
    this.path = [];
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  moveTo(x, y) {
    this.path.push(`M${short(x)} ${short(y)}`);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  lineTo(x, y) {
    this.path.push(`L${short(x)} ${short(y)}`);
  }

  /** @param {number[]} points */
  bezierCurveTo(...points) {
    this.path.push(`C${points.map(short).join(' ')}`);
  }

  closePath() {
    this.path.push('Z');
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} w
   * @param {number} h
   */
  rect(x, y, w, h) {
    this.path.push(`M${short(x)} ${short(y)}h${short(w)}v${short(h)}h${short(-w)}Z`);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} w
   * @param {number} h
   * @param {number | number[]} radii one for all corners, or upper left, upper right, lower right, lower left
   */
  roundRect(x, y, w, h, radii) {
    const most = Math.min(w, h) / 2;
    const list = typeof radii === 'number' ? [radii, radii, radii, radii] : [radii[0], radii[1], radii[2] ?? 0, radii[3] ?? 0];
    const [a, b, c, d] = list.map((radius) => Math.min(radius, most));
    const arc = (/** @type {number} */ r, /** @type {number} */ dx, /** @type {number} */ dy) =>
      r > 0 ? `a${short(r)} ${short(r)} 0 0 1 ${short(dx)} ${short(dy)}` : '';
    this.path.push(
      `M${short(x + a)} ${short(y)}H${short(x + w - b)}${arc(b, b, b)}V${short(y + h - c)}${arc(c, -c, c)}`,
      `H${short(x + d)}${arc(d, -d, -d)}V${short(y + a)}${arc(a, a, -a)}Z`,
    );
  }

  /**
   * Whole circles alone.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} r
   */
  arc(x, y, r) {
    const half = `a${short(r)} ${short(r)} 0 0 1`;
    this.path.push(`M${short(x - r)} ${short(y)}${half} ${short(2 * r)} 0${half} ${short(-2 * r)} 0Z`);
  }

  fill() {
    if (this.path.length > 0) this.parts.push(`<path d="${this.path.join('')}" fill="${escapeXml(this.fillStyle)}"/>`);
  }

  stroke() {
    if (this.path.length === 0) return;
    const dash = this.dash && ` stroke-dasharray="${this.dash}"`;
    const stroke = `stroke="${escapeXml(this.strokeStyle)}" stroke-width="${short(this.lineWidth)}"${dash}`;
    this.parts.push(`<path d="${this.path.join('')}" fill="none" ${stroke} stroke-linejoin="round"/>`);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} w
   * @param {number} h
   */
  fillRect(x, y, w, h) {
    const size = `x="${short(x)}" y="${short(y)}" width="${short(w)}" height="${short(h)}"`;
    this.parts.push(`<rect ${size} fill="${escapeXml(this.fillStyle)}"/>`);
  }

  /** @param {number[]} dashes */
  setLineDash(dashes) {
    this.dash = dashes.join(' ');
  }

  /** @param {string} text */
  measureText(text) {
    return { width: textWidth(text, Number(FONT.exec(this.font)?.[2] ?? 10)) };
  }

  /**
   * @param {string} text
   * @param {number} x
   * @param {number} y
   */
  fillText(text, x, y) {
    this.text(text, x, y, `fill="${escapeXml(this.fillStyle)}"`);
  }

  /**
   * @param {string} text
   * @param {number} x
   * @param {number} y
   */
  strokeText(text, x, y) {
    const stroke = `stroke="${escapeXml(this.strokeStyle)}" stroke-width="${short(this.lineWidth)}"`;
    this.text(text, x, y, `fill="none" ${stroke} stroke-linejoin="round"`);
  }

  /**
   * @param {string} text
   * @param {number} x
   * @param {number} y
   * @param {string} look
   */
  text(text, x, y, look) {
    const [, weight = '400', size = '10', family = 'sans-serif'] = FONT.exec(this.font) ?? [];
    const font = `font-family="${escapeXml(family)}" font-size="${size}" font-weight="${weight}"`;
    // Viewers differ in what they make of dominant-baseline: the line is set below the middle by hand.
    const down = Number(size) * 0.36;
    const at = `x="${short(x)}" y="${short(y + down)}" text-anchor="${ANCHORS[this.textAlign] ?? 'start'}"`;
    this.parts.push(`<text ${at} ${font} ${look}>${escapeXml(text)}</text>`);
  }

  /** @param {string} title */
  done(title) {
    const size = `width="${short(this.width)}" height="${short(this.height)}"`;
    const head = `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${short(this.width)} ${short(this.height)}">`;
    return `${head}<title>${escapeXml(title)}</title>${this.parts.join('\n')}${this.open ? '</g>' : ''}</svg>\n`;
  }
}
