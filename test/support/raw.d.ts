// A page of the docs as text, so that a test can hold it to its word.

declare module "*.md?raw" {
  const text: string;
  export default text;
}
