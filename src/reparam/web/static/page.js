/** The page of `reparam explore`. */
import { start } from "./main.js";
import { connect } from "./answerers/http.js";

start(document.getElementById("reparam"), connect());
