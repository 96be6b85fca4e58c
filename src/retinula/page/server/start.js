// The page of a server: it asks the server, which also shows its trainings.

import { start } from "../main.js";
import * as answers from "./answers.js";
import * as runs from "./runs.js";

start(answers, runs);
