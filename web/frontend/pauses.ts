// Why the page holds still. Every reason is read from the page itself, so none can be forgotten set.
let byReader = false;

export function pausedByReader(): boolean {
  return byReader;
}

export function togglePause(): void {
  byReader = !byReader;
}

/** The reason why nothing may move now, in the words shown; undefined when updates may go on. */
export function pauseReason(): string | undefined {
  if (byReader) return "by you";
  if (document.querySelector("[data-live-rows] tbody input:checked")) return "rows selected";
  if (document.querySelector("dialog[open]")) return "dialog open";
  if (textSelected()) return "text selected";
  return undefined;
}

function textSelected(): boolean {
  const selection = getSelection();
  if (!selection || selection.isCollapsed) return false;
  return document.getElementById("main")?.contains(selection.anchorNode) ?? false;
}
