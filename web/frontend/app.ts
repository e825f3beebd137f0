// What every page carries; each part finds its place in the page, or does nothing.
import htmx from "htmx.org";
import { startCopy } from "./copy";
import { startLive } from "./live";
import { watchNewButton } from "./rows";
import { startSelection } from "./selection";
import { startTimes } from "./times";

// Stated here as well as in the page's meta element: the CSP forbids eval and styles made by script.
Object.assign(htmx.config, { allowEval: false, includeIndicatorStyles: false, allowScriptTags: false, historyCacheSize: 0 });

startTimes();
startSelection();
startCopy();
watchNewButton();
startLive();
