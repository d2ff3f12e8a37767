export const html: (strings: TemplateStringsArray, ...values: any[]) => any;
export function render(tree: any, parent: Element): void;
export function createContext(value: any): any;
export function useContext(context: any): any;
export function useState<T>(first: T): [T, (next: T | ((before: T) => T)) => void];
export function useEffect(run: () => void | (() => void), when?: any[]): void;
export function useRef(first: any): { current: any };
export function useMemo<T>(make: () => T, when: any[]): T;
