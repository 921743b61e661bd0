// Style sheets that web/build.mjs minifies to text.
declare module "*.css" {
  const text: string;
  export default text;
}
