// The ladder between the costumes as a slider: each rung changes little, and says what.

import { LitElement, html } from "lit";
import { data } from "./data.js";

const FACTORS = {
  target: "aims at",
  histories: "histories",
  feedback: "is told",
  density: "how often",
  designer: "who says what is good",
};

class Ladder extends LitElement {
  static properties = { costume: {}, rung: { state: true } };

  constructor() {
    super();
    this.rung = 0;
  }

  createRenderRoot() {
    return this;
  }

  render() {
    const rungs = data.ladder;
    const now = rungs[this.rung];
    const before = rungs[this.rung - 1];
    const changed = (factor) => before && before[factor] !== now[factor];
    return html`
      <section class="wide" aria-labelledby="ladder">
        <h2 id="ladder">From one costume to the other, rung by rung</h2>
        <p class="lead">
          “Reinforcement learning or language modelling” hides five choices. Each rung trains the
          same network; the slider shows what it changes to the rung before.
        </p>
        <div class="rungs">
          <input
            type="range"
            min="0"
            max=${rungs.length - 1}
            .value=${String(this.rung)}
            aria-label="Rung of the ladder"
            aria-valuetext="${now.rung}: ${now.about}"
            @input=${(event) => (this.rung = Number(event.target.value))}
          />
          <ol aria-hidden="true">
            ${rungs.map(
              (rung, i) => html`<li class=${i === this.rung ? "now" : ""}>${rung.rung}</li>`,
            )}
          </ol>
        </div>
        <div class="rung" aria-live="polite">
          <h3>${now.rung} <span>${now.about}</span></h3>
          <dl class="factors">
            ${Object.entries(FACTORS).map(
              ([factor, title]) => html`<div class=${changed(factor) ? "changed" : ""}>
                <dt>${title}</dt>
                <dd>${now[factor]}</dd>
              </div>`,
            )}
          </dl>
          <p><code>popjax train RepeatPreviousEasy --regime ${now.name}</code></p>
        </div>
      </section>
    `;
  }
}

customElements.define("popjax-ladder", Ladder);
