/** The page: four steps that share one {@link App}. */
import './first.ts';
import { setUpData } from './data.ts';
import { byId } from './dom.ts';
import { setUpModel } from './model.ts';
import { setUpOffline } from './offline.ts';
import { watchRequests } from './privacy.ts';
import { checkSupport } from './problem.ts';
import { setUpProof } from './proof.ts';
import { Flow, newApp } from './state.ts';
import { setUpTasks } from './tasks.ts';
import { translatePage } from './text.ts';
import { setUpTrain } from './train.ts';
import { setUpTrainings } from './trainings.ts';
import { setUpTry } from './try.ts';

translatePage();
watchRequests();
const app = newApp();
const flow = new Flow();
const withModel = setUpModel(app, flow);
const takeSample = setUpData(app, flow);
setUpTasks(app, flow, { withModel, takeSample });
const open = setUpTrain(app, flow);
setUpTry(app, flow);
setUpProof(app);
void checkSupport(byId('support', HTMLElement));
setUpTrainings(app, flow, open);
void setUpOffline();
