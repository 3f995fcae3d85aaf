// Small signs for the controls, drawn so that no font need have them.

import { svg, html } from "lit";

function icon(shapes) {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${shapes}</svg>`;
}

export const icons = {
  begin: icon(svg`<path d="M3 3v10M13 3 6 8l7 5z" />`),
  back: icon(svg`<path d="M11 3 4 8l7 5z" />`),
  on: icon(svg`<path d="M5 3l7 5-7 5z" />`),
  pause: icon(svg`<path d="M5 3v10M11 3v10" />`),
};
