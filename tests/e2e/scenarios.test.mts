// All scenarios, in one process with one browser.
import "./fixing.mts";
import "./reviewing.mts";
import "./asking.mts";
import "./models.mts";
import "./beginning.mts";
