// Types of what the console uses of preact-htm.js.
export function html(strings: TemplateStringsArray, ...values: unknown[]): unknown;
export function render(tree: unknown, into: HTMLElement): void;
export function useState<T>(initial: T | (() => T)): [T, (next: T | ((old: T) => T)) => void];
export function useEffect(act: () => void | (() => void), inputs?: unknown[]): void;
export function useLayoutEffect(act: () => void | (() => void), inputs?: unknown[]): void;
export function useRef<T>(initial: T): { current: T };
