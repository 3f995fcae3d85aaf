"use strict";
(() => {
  const root = document.documentElement, toggle = document.getElementById("theme");
  const asked = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("popjax-theme"); } catch { /* a file may have no storage */ }

  const show = (theme) => {
    root.dataset.theme = theme;
    toggle.textContent = theme === "dark" ? "Light" : "Dark";
    toggle.setAttribute("aria-pressed", String(theme === "dark"));
  };
  const follow = () => show(chosen ?? (asked.matches ? "dark" : "light"));
  asked.addEventListener("change", follow);
  toggle.addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("popjax-theme", chosen); } catch { /* as above */ }
    follow();
  });
  const folded = document.getElementsByTagName("details");
  addEventListener("beforeprint", () => {
    show("light");
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", follow);
  follow();

  const compare = (a, b, way) => {
    if (a === b) return 0;
    if (a === "") return 1;  // what is missing comes last, whichever way
    if (b === "") return -1;
    const x = Number(a), y = Number(b);
    return way * (Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y);
  };
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th"), body = head.closest("table").tBodies[0];
      const isNumber = head.classList.contains("number");
      const next = { none: isNumber ? "descending" : "ascending",
        ascending: "descending", descending: "ascending" }[head.getAttribute("aria-sort")];
      for (const other of head.parentElement.children) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", next);
      const way = next === "ascending" ? 1 : -1;
      const value = (row) => row.cells[head.cellIndex].dataset.value;
      const rows = [...body.rows].sort((a, b) => compare(value(a), value(b), way));
      body.append(...rows);
    });
  }
})();
