// The page that runs the model itself: there is no server but for its files.

import { start } from "../main.js";
import * as answers from "./answers.js";

start(answers, null);
