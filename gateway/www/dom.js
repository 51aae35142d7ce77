// Small helpers for the page. Text always goes in as text, never as markup.

export const $ = (id) => document.getElementById(id);

/** An element with properties and children: element("p", { className: "muted" }, "text"). */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Set text only where it differs, so that nothing is laid out or announced again for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Calls `work` once in the next frame, however often it was asked for. */
export function onNextFrame(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      work();
    });
  };
}

/** Calls `work` once, `delay` milliseconds after it was first asked for. */
export function soon(work, delay) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, delay);
  };
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** A short glow on a value that has just changed; nothing for people who want no motion. */
export function glow(node) {
  if (calm.matches || !node.animate) return;
  const colour = getComputedStyle(node).getPropertyValue("--accent-wash");
  node.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], { duration: 900, easing: "ease-out" });
}
