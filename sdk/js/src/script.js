// For the files that are no ES modules. build.js gives them `target`.

import {Client, GroupcastError} from './index.js';

target.Client = Client;
target.GroupcastError = GroupcastError;
