/* What saves a way with the keyboard. Everything works without this file. */
"use strict";
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const box = document.getElementById("q");
    if (box && box.offsetParent) {
      event.preventDefault();
      box.focus();
    }
  }
});
for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
}

// The form: one tab stop a table, arrows move among its numbers, Enter opens, Esc closes.
(() => {
  const numbers = (table) => [...table.querySelectorAll("a.n")];
  const enter = (link) => {
    for (const other of numbers(link.closest("table"))) other.tabIndex = other === link ? 0 : -1;
  };
  const begin = () => {
    for (const table of document.querySelectorAll("table[data-keys]")) {
      const links = numbers(table);
      if (links.length) enter(table.querySelector("a.n.open") || links[0]);
    }
  };
  const middle = (link) => {
    const box = link.getBoundingClientRect();
    return { x: box.left + box.width / 2, y: box.top + box.height / 2, box };
  };
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const next = (link, [right, down]) => {
    const from = middle(link);
    let best = null;
    let least = Infinity;
    for (const other of numbers(link.closest("table"))) {
      const to = middle(other);
      const ahead = right ? (to.x - from.x) * right : (to.y - from.y) * down;
      const aside = right ? Math.abs(to.y - from.y) : Math.abs(to.x - from.x);
      // In a line of its own: beside, or above and below.
      const inLine = right ? to.box.top < from.y && to.box.bottom > from.y : true;
      const far = ahead + aside * 3;
      if (other !== link && inLine && ahead > 1 && far < least) {
        least = far;
        best = other;
      }
    }
    return best;
  };
  const panel = () => document.querySelector(".panel[data-open]");
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("table[data-keys] a.n")) enter(event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && panel()) {
      event.preventDefault();
      panel().querySelector(".close").click();
      return;
    }
    const step = STEPS[event.key];
    if (step && event.target.matches("table[data-keys] a.n")) {
      const to = next(event.target, step);
      if (to) {
        event.preventDefault();
        to.focus();
      }
    }
  });
  // The column beside the form was swapped: mark what is open; after closing, back to its cell.
  let last = "";
  document.addEventListener("htmx:afterSwap", () => {
    const open = panel();
    for (const link of document.querySelectorAll("a.n.open")) link.classList.remove("open");
    if (open) {
      last = open.dataset.open;
      const link = document.getElementById(last);
      if (link) {
        link.classList.add("open");
        enter(link);
      }
    } else if (last) {
      const link = document.getElementById(last);
      if (link) link.focus({ preventScroll: true });
      last = "";
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });
  begin();
})();
