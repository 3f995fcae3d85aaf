// The page: the toggle at its head, and under it everything that the toggle renames.

import { LitElement, html } from "lit";
import { data, FAMILIES } from "./data.js";
import { read, written } from "./place.js";
import { costumes } from "./costumes.js";
import "./gears.js";
import "./task.js";
import "./ladder.js";
import "./experiments.js";

class Explorer extends LitElement {
  static properties = { place: { state: true } };

  constructor() {
    super();
    this.place = read(location.hash);
    this.linked = location.hash.length > 1;
    addEventListener("hashchange", () => (this.place = read(location.hash)));
  }

  createRenderRoot() {
    return this; // no shadow: one style sheet for the page
  }

  go(change) {
    this.place = { ...this.place, ...change };
    try {
      history.replaceState(null, "", written(this.place));
    } catch {
      // a page inside a notebook has no address of its own
    }
  }

  updated() {
    document.documentElement.dataset.costume = this.place.costume;
  }

  /** A link to a step leads to the replay, once that is there. */
  arrived() {
    if (this.linked && this.place.step) this.querySelector("popjax-replay").scrollIntoView();
    this.linked = false;
  }

  render() {
    const { costume } = this.place;
    return html`
      <header class="wide">
        <p class="kicker">popjax</p>
        <h1>The same gears, <em>${costumes[costume].dressed}</em></h1>
        <p class="lead">
          An agent that plays and a model that predicts what comes next can be one network: the same
          memory, the same parameters, leaf by leaf. What differs is what it is told. Flip the
          toggle, and every gear changes its name. Then see where the likeness is exact, where it is
          an analogy, and where it breaks.
        </p>
      </header>
      <div class="bar">
        <fieldset class="toggle" @change=${(event) => this.go({ costume: event.target.value })}>
          <legend class="unseen">Costume</legend>
          ${Object.entries(costumes).map(
            ([name, { title }]) => html`<label class=${name}>
              <input type="radio" name="costume" value=${name} .checked=${costume === name} />
              <span>${title}</span>
            </label>`,
          )}
        </fieldset>
      </div>
      <main>
        <popjax-gears .costume=${costume}></popjax-gears>
        <popjax-task
          .place=${this.place}
          @go=${(event) => this.go(event.detail)}
          @arrived=${() => this.arrived()}
        ></popjax-task>
        <popjax-ladder .costume=${costume}></popjax-ladder>
        <popjax-experiments .costume=${costume}></popjax-experiments>
      </main>
      <footer class="wide">
        <p>
          popjax ${data.version}: the partially observable tasks of POPGym (Morad et al., ICLR
          2023) in JAX. This page is one file and asks nobody for
          anything. Made by <code>${data.command}</code>.
        </p>
      </footer>
    `;
  }
}

customElements.define("popjax-explorer", Explorer);
