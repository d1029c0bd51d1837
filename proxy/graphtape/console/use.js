// @ts-check
/** Asks the API for what a view shows, again when its question changes. */
import {useEffect, useState} from '/console/vendor/preact-htm.js';
import {get} from '/console/api.js';
import {state, watch} from '/console/store.js';

/**
 * @param {string} path Empty asks nothing.
 * @param {unknown} [turn] Asked again when it changes.
 * @returns {{found: any, problem: string}}
 */
export function useAnswer(path, turn = 0) {
  const [answer, setAnswer] = useState({path: '', found: /** @type {any} */ (null), problem: ''});
  useEffect(() => {
    let wanted = true;
    if (path) {
      get(path).then(
        (found) => wanted && setAnswer({path, found, problem: ''}),
        (error) => wanted && setAnswer({path, found: null, problem: error.message}),
      );
    }
    return () => {
      wanted = false;
    };
  }, [path, turn]);
  return answer.path === path ? answer : {found: null, problem: ''};
}

/** Draw again when what the page knows changes. */
export function useStore() {
  const [, again] = useState(0);
  useEffect(() => {
    const stop = watch(() => again((turn) => turn + 1));
    again((turn) => turn + 1); // it may have changed since this was drawn
    return () => void stop();
  }, []);
  return state;
}

/** @param {any[]|undefined} list @param {(each: any, at: number) => unknown} draw */
export const map = (list, draw) => (list ?? []).map(draw);
