// The table of gears as cards. All their words come from gears.toml.

import { LitElement, html } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { data } from "./data.js";
import { maths } from "./maths.js";

const HOLDS = {
  exact: "the same object, or an identity",
  analogy: "alike, up to what is said here",
  breaks: "here the likeness ends",
};

/** A dotted name that may be broken after its dots. */
function broken(name) {
  return name.split(".").map((part, i) => html`${i ? html`.<wbr />` : ""}${part}`);
}

class Gears extends LitElement {
  static properties = { costume: {} };

  createRenderRoot() {
    return this;
  }

  render() {
    const counts = Object.keys(HOLDS).map(
      (holds) => [holds, data.gears.filter((gear) => gear.holds === holds).length],
    );
    return html`
      <section class="wide" aria-labelledby="gears">
        <h2 id="gears">Gear by gear</h2>
        <ul class="legend">
          ${counts.map(
            ([holds, count]) =>
              html`<li><span class="holds ${holds}">${holds}</span> ${count}: ${HOLDS[holds]}</li>`,
          )}
        </ul>
        <ul class="cards">
          ${data.gears.map((gear) => this.card(gear))}
        </ul>
      </section>
    `;
  }

  card(gear) {
    return html`
      <li class="card" data-gear=${gear.id}>
        <p class="concept">${gear.concept}<span class="holds ${gear.holds}">${gear.holds}</span></p>
        ${keyed(
          this.costume,
          html`<div class="named">
            <h3 class="name">${gear[this.costume]}</h3>
            <p class="symbol">${maths(gear[`${this.costume}_symbol`])}</p>
          </div>`,
        )}
        <p class="formula">${maths(gear.formula)}</p>
        <p class="caveat">${gear.caveat}</p>
        <dl>
          <dt>code</dt>
          <dd><code>${broken(gear.module)}</code></dd>
          <dt>see it</dt>
          <dd><code>${gear.experiment}</code></dd>
        </dl>
      </li>
    `;
  }
}

customElements.define("popjax-gears", Gears);
