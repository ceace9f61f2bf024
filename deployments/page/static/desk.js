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
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) {
    window.print();
  }
});
for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
}
