/** Saves what a pane shows: as SVG, as PNG, or as a page that needs no server. */

/** @param {import("./pane.js").Pane} pane @param {import("./pane.js").Picture} what @param {string} name */
export async function savePicture(pane, what, name) {
  throw new Error(`not yet: ${what} of ${name} ${pane.key}`);
}
