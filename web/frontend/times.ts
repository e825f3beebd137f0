// Times: ages go on ticking between refreshes, and each time tells the reader's own zone when pointed at.
import { duration } from "./durations";

/** Milliseconds by which this machine's clock is ahead of the server's. */
function skew(): number {
  const told = Number(document.documentElement.dataset.now);
  return told ? Date.now() - told - performance.now() : 0;
}

export function startTimes(): void {
  const ahead = skew();
  const tick = (): void => {
    for (const time of document.querySelectorAll<HTMLTimeElement>("time[data-age]")) {
      const text = duration(Math.max(0, (Date.now() - ahead - Date.parse(time.dateTime)) / 1000));
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(tick, 1_000);
  for (const name of ["mouseover", "focusin"]) document.addEventListener(name, (event) => explain(event.target, ahead));
}

function explain(target: EventTarget | null, ahead: number): void {
  if (!(target instanceof HTMLTimeElement)) return;
  const at = new Date(target.dateTime);
  const seconds = (Date.now() - ahead - at.getTime()) / 1000;
  const relative = seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
  const utc = at.toISOString().replace("T", " ").replace("Z", " UTC");
  const local = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  target.title = `${utc}\n${local}\n${relative}`;
}
