// Sheets from the general to the particular; the last one is for small screens and paper.
import "./style/base.css";
import "./style/toggle.css";
import "./style/gears.css";
import "./style/task.css";
import "./style/replay.css";
import "./style/panels.css";
import "./style/stream.css";
import "./style/ladder.css";
import "./style/phone.css";
import "./explorer.js";
