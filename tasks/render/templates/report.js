"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const place = new Map(data.cells.map((cell, at) => [cell[0], at]));
  const panel = document.getElementById("panel");
  const organBox = document.getElementById("organ");
  const scopeBox = document.getElementById("scope");
  const children = data.organs.map(() => []);
  data.organs.forEach((organ, at) => { if (organ[2] >= 0) children[organ[2]].push(at); });
  let organ = data.root, scope = "rolled_up", opener = null;

  const value = (at, of = organ, how = scope) => {
    const row = data.values[how][of];
    return row && row.length ? row[at] : null;
  };
  const shown = v => (v === null || v === undefined ? "" : String(v));
  const add = (parent, name, text, className) => {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    if (className) element.className = className;
    parent.appendChild(element);
    return element;
  };
  const label = cell => (cell[2] ? cell[1] + " · " + cell[2] : cell[1]);

  // The equations and findings that a cell has a part in.
  const equationsOf = at => data.equations.filter(e => e[3].concat(e[5]).some(t => t[0] === at));
  const findingsOf = (at, of) => {
    const keys = new Set(equationsOf(at).map(e => e[1]));
    const own = data.cells[at][0];
    return data.findings.filter(f => f[0] === of && (keys.has(f[2]) || f[2].endsWith("." + own)));
  };

  // Of an equation that does not hold, the side with fewer terms is marked: the total, not
  // every figure that was added up.
  const isSuspect = (at, of) => findingsOf(at, of).some(f => {
    const equation = data.equations.find(e => e[1] === f[2]);
    if (!equation) return true;
    const least = Math.min(equation[3].length, equation[5].length);
    return [equation[3], equation[5]].some(side => side.length === least && side.some(t => t[0] === at));
  });

  function fill() {
    document.querySelectorAll("button.n").forEach(button => {
      const at = place.get(button.dataset.k);
      const text = shown(value(at));
      const missing = data.cells[at][6] && organ !== data.root ? "—" : "";
      button.textContent = text || missing;
      button.setAttribute("aria-label", label(data.cells[at]) + " " + (text || "缺失"));
      button.classList.toggle("suspect", scope === "rolled_up" && isSuspect(at, organ));
    });
    document.querySelectorAll("[data-sides]").forEach(td => {
      const rates = data.rates[scope][place.get(td.dataset.sides)];
      td.textContent = rates ? rates[organ] : "";
    });
    const isRoot = organ === data.root && scope === "rolled_up";
    document.querySelectorAll(".root-only").forEach(e => { e.style.visibility = isRoot ? "" : "hidden"; });
    const viewing = document.getElementById("viewing");
    viewing.hidden = isRoot;
    viewing.textContent = "表中现为：" + data.organs[organ][1] + "（" + (scope === "own" ? "本机关" : "含所属") + "）";
    if (!isRoot) {
      const back = add(viewing, "button", "回到全部");
      back.type = "button";
      back.onclick = () => choose(data.root, "rolled_up");
    }
  }

  function choose(newOrgan, newScope) {
    organ = newOrgan; scope = newScope;
    if (organBox) { organBox.value = organ; scopeBox.value = scope; }
    fill();
    if (!panel.hidden && opener) show(place.get(opener.dataset.k), organ);
  }

  function termText(terms, of, how) {
    return terms.map(([at, sign, back], i) => {
      const v = back ? (of === data.root && data.last.length ? data.last[at] : null) : value(at, of, how);
      const text = (back ? "上年 " : "") + (shown(v) || "空");
      return (sign < 0 ? " − " : i ? " + " : "") + text;
    }).join("");
  }
  function sum(terms, of, how) {
    let total = 0;
    for (const [at, sign, back] of terms) {
      const v = back ? (of === data.root && data.last.length ? data.last[at] : null) : value(at, of, how);
      if (v === null || v === undefined) return null;
      total += sign * Number(v);
    }
    return total;
  }

  function show(at, of) {
    const cell = data.cells[at];
    panel.replaceChildren();
    const close = add(panel, "button", "关闭", "close");
    close.type = "button";
    close.onclick = hide;
    const title = add(panel, "h2", label(cell));
    title.id = "panel-title";
    add(panel, "p", data.organs[of][1] + (scope === "own" ? "（本机关）" : "（含所属）") + " · " + data.year + " 年", "edition");
    const big = add(panel, "p", shown(value(at, of)) || "缺失", "big");
    const v = shown(value(at, of));
    if (cell[3] && !v.endsWith("%")) add(big, "small", cell[3]);
    const rates = data.rates[scope][at];
    if (rates && rates[of]) add(panel, "p", rates[of]);
    add(panel, "h3", "口径");
    add(panel, "p", cell[4]);
    if (cell[5]) add(panel, "p", "依据：" + cell[5], "edition");
    add(add(panel, "p", "", "edition"), "code", cell[0]);
    if (cell[7].length) {
      add(panel, "h3", "由下列数字算出");
      const grid = add(panel, "div", "", "share");
      cell[7].forEach(part => {
        const who = add(grid, "button", label(data.cells[part]));
        who.type = "button";
        who.onclick = () => { show(part, of); panel.focus(); };
        add(grid, "span");
        add(grid, "b", shown(value(part, of)) || "缺失");
      });
    }
    if (of === data.root && scope === "rolled_up" && data.last.length && shown(data.last[at])) {
      add(panel, "h3", "上年");
      add(panel, "p", shown(data.last[at]));
    }
    const equations = equationsOf(at);
    if (equations.length) {
      add(panel, "h3", "勾稽关系");
      equations.forEach(e => {
        const left = sum(e[3], of, scope), right = sum(e[5], of, scope);
        const known = left !== null && right !== null;
        const holds = known && (e[4] === "≥" ? left >= right : Math.abs(left - right) < 1e-6);
        const relation = known && !holds ? (e[4] === "≥" ? "<" : "≠") : e[4];
        const block = add(panel, "div", "", "eq" + (known ? (holds ? "" : " no") : " unknown"));
        add(block, "p", e[0] + " " + e[2] + (known ? (holds ? "（相符）" : "（不符）") : "（缺数，无法核对）"));
        add(block, "p", termText(e[3], of, scope) + " " + relation + " " + termText(e[5], of, scope), "equation");
      });
    }
    const findings = findingsOf(at, of);
    if (findings.length && scope === "rolled_up") {
      add(panel, "h3", "核对问题与所涉记录");
      findings.forEach(f => {
        add(panel, "p", f[1] + " " + f[3] + " " + f[4]);
        const list = add(panel, "ul");
        f[6].forEach(r => {
          const record = data.records[r];
          const item = add(list, "li", record[0] + " ");
          add(item, "code", record[1] + "/" + record[2]);
          item.append(" " + [record[4], record[3], record[5]].filter(Boolean).join(" "));
        });
        if (f[7] > f[6].length) add(list, "li", "另有 " + (f[7] - f[6].length) + " 条");
      });
    }
    breakdown(at, of);
    panel.hidden = false;
  }

  // A rolled-up figure is the organ's own and its children's rolled up.
  function breakdown(at, of) {
    if (scope !== "rolled_up" || !children[of].length || data.cells[at][6]) return;
    const parts = children[of].map(c => [c, value(at, c, "rolled_up")])
      .filter(p => p[1] !== null && p[1] !== undefined && p[1] !== 0 && p[1] !== "0");
    const own = value(at, of, "own");
    parts.sort((a, b) => Number.parseFloat(b[1]) - Number.parseFloat(a[1]) || a[0] - b[0]);
    add(panel, "h3", "各机关分布");
    const grid = add(panel, "div", "", "share");
    const most = Math.max(1e-9, Math.abs(Number.parseFloat(own)) || 0, ...parts.map(p => Math.abs(Number.parseFloat(p[1])) || 0));
    const line = (name, v, onclick) => {
      const who = add(grid, onclick ? "button" : "span", name);
      if (onclick) { who.type = "button"; who.onclick = onclick; }
      const bar = add(add(grid, "span"), "i");
      bar.style.width = (Math.abs(Number.parseFloat(v)) / most) * 100 + "%";
      add(grid, "b", shown(v));
    };
    if (own !== null && own !== undefined) line(data.organs[of][1] + "（本机关）", own);
    parts.forEach(([c, v]) => line(data.organs[c][1], v, () => choose(c, "rolled_up")));
    const zero = children[of].length - parts.length;
    if (zero) add(panel, "p", "其余 " + zero + " 个机关为 0 或缺失。", "edition");
  }

  function hide() {
    panel.hidden = true;
    document.querySelectorAll(".n.open").forEach(b => b.classList.remove("open"));
    if (opener) opener.focus();
  }

  document.addEventListener("click", event => {
    const button = event.target.closest("button.n");
    if (!button) return;
    document.querySelectorAll(".n.open").forEach(b => b.classList.remove("open"));
    opener = button;
    button.classList.add("open");
    show(place.get(button.dataset.k), organ);
    panel.scrollTop = 0;
    panel.focus();
  });
  document.addEventListener("keydown", event => { if (event.key === "Escape" && !panel.hidden) hide(); });

  if (organBox) {
    const walk = (at, depth) => {
      const option = add(organBox, "option", "\u3000".repeat(depth) + data.organs[at][1]);
      option.value = at;
      children[at].forEach(c => walk(c, depth + 1));
    };
    data.organs.forEach((o, at) => { if (o[2] < 0) walk(at, 0); });
    organBox.value = organ;
    organBox.onchange = () => choose(Number(organBox.value), scope);
    scopeBox.onchange = () => choose(organ, scopeBox.value);
    document.querySelector(".choose").hidden = false;
  }
  document.querySelectorAll(".script-only").forEach(e => { e.hidden = false; });
  fill();
  // A figure can be linked to: report.html#cell=t3.granted.total
  const asked = /^#cell=(.+)$/.exec(decodeURIComponent(location.hash));
  const button = asked && document.querySelector('button.n[data-k="' + CSS.escape(asked[1]) + '"]');
  if (button) { button.scrollIntoView({ block: "center" }); button.click(); }
})();
