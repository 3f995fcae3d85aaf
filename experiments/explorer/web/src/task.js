// One of the sixteen families at a level: what it asks in each costume, and an episode of it.

import { LitElement, html } from "lit";
import { data, episode, FAMILIES, LEVELS } from "./data.js";
import { other } from "./costumes.js";
import "./replay.js";

class Task extends LitElement {
  static properties = { place: {}, episode: { state: true } };

  createRenderRoot() {
    return this;
  }

  willUpdate(changed) {
    const id = this.place.family + this.place.level;
    if (changed.has("place") && id !== this.id_) {
      this.id_ = id;
      episode(id).then((found) => {
        if (this.id_ !== id) return; // another one was chosen in the meantime
        this.episode = found;
        if (this.place.step > found.steps) this.go({ step: found.steps });
      });
    }
  }

  async updated(changed) {
    if (!changed.has("episode") || !this.episode) return;
    await this.querySelector("popjax-replay").updateComplete;
    this.dispatchEvent(new CustomEvent("arrived"));
  }

  go(detail) {
    this.dispatchEvent(new CustomEvent("go", { detail }));
  }

  render() {
    const { family, level, costume, step } = this.place;
    const told = data.families[family];
    return html`
      <section class="wide" aria-labelledby="tasks">
        <h2 id="tasks">${FAMILIES.length === 16 ? "Sixteen tasks" : "Tasks"}, seen through either lens</h2>
        <div class="picker" role="group" aria-label="Family">
          ${FAMILIES.map(
            (name) => html`<button
              type="button"
              aria-pressed=${name === family}
              data-family=${name}
              @click=${() => this.go({ family: name, level: nearest(name, level), step: 0 })}
            >
              ${name.replace(/(?<=[a-z])(?=[A-Z])/g, "\u200b")}
            </button>`,
          )}
        </div>
        <div class="asked">
          <div>
            <h3>${family}</h3>
            <p class="sentence">${told[costume]}</p>
            <p class="echo">${costume === "rl" ? "As a language task" : "As a game"}: ${told[other[costume]]}</p>
          </div>
          <div class="levels" role="group" aria-label="Level">
            ${LEVELS.map(
              (name) => html`<button
                type="button"
                aria-pressed=${name === level}
                data-level=${name}
                ?disabled=${!data.episodes[family + name]}
                @click=${() => this.go({ level: name, step: 0 })}
              >
                ${name}
              </button>`,
            )}
          </div>
        </div>
        <popjax-replay
          .episode=${this.episode}
          .costume=${costume}
          .step=${Math.min(step, this.episode?.steps ?? step)}
          @step=${(event) => this.go({ step: event.detail })}
        ></popjax-replay>
      </section>
    `;
  }
}

/** The level of a family that was recorded: the one asked for, or else the easiest. */
function nearest(family, level) {
  return [level, ...LEVELS].find((name) => data.episodes[family + name]);
}

customElements.define("popjax-task", Task);
