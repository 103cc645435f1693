export {Client} from './client.js';
export {GroupcastError} from './error.js';
