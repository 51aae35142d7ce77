// Run in the page: a list of what keeps people from reading or using it. Names, ids, headings, contrast (WCAG 2.2, 4.5:1).
() => {
  const faults = [];
  const shown = (node) => node.checkVisibility() && !node.closest(".visually-hidden");

  for (const node of document.querySelectorAll("button, a, input, select")) {
    const label = node.labels?.[0]?.textContent || node.getAttribute("aria-label") || node.textContent;
    if (node.checkVisibility() && !label.trim()) faults.push(`no name: ${node.outerHTML}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  faults.push(...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `twice: ${id}`));
  const headings = [...document.querySelectorAll("h1")].filter(shown);
  if (headings.length !== 1) faults.push(`${headings.length} main headings`);

  const parse = (text) => {
    const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
    return [red, green, blue, alpha];
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, index) => sum + weight * linear(colour[index] / 255), 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!text || !shown(node) || node.closest("svg, :disabled, noscript")) continue;
    const [one, other] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${node.outerHTML.slice(0, 80)}`);
  }
  return faults;
}
