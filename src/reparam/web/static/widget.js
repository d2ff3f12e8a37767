/** The page in a cell of a notebook, as an anywidget. */
import { start } from "./main.js";
import { connect } from "./answerers/widget.js";

/** @param {{model: import("./answerers/widget.js").Channel, el: HTMLElement}} props */
function render({ model, el }) {
  const element = document.createElement("div");
  el.append(element);
  element.style.setProperty("--map", `${model.get("height")}px`);
  const answerer = connect(model);
  /** @type {number[]} */
  let selection = [];
  const stop = start(element, answerer, {
    address: false,
    heard: (state) => {
      if (state.selection === selection) return;
      selection = state.selection;
      model.set("selection", state.selection);
      model.save_changes();
    },
  });
  return () => {
    stop();
    answerer.close();
  };
}

export default { render };
