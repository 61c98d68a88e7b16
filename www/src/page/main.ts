/** The page: four steps that share one {@link App}. */
import { setUpData } from './data.ts';
import { byId } from './dom.ts';
import { setUpModel } from './model.ts';
import { checkSupport } from './problem.ts';
import { Flow, newApp } from './state.ts';
import { setUpTrain } from './train.ts';
import { setUpTry } from './try.ts';

const app = newApp();
const flow = new Flow();
setUpModel(app, flow);
setUpData(app, flow);
setUpTrain(app, flow);
setUpTry(app, flow);
void checkSupport(byId('support', HTMLElement));

// Training lives in this tab: closing it by mistake loses what is not kept.
addEventListener('beforeunload', (event) => {
  if (app.trained > 0) event.preventDefault();
});
