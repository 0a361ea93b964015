// Proves that package-lock.json serves every platform: npm leaves out the entry of an optional
// dependency (a native binary) that the registry did not have on the day, and `npm ci` then fails, or
// another platform gets nothing. Also: every entry has its hash, and none names a registry of its own.
import { readFileSync } from "node:fs";

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly inBundle?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const file = process.argv[2] ?? "package-lock.json";
const { packages }: { packages: Readonly<Record<string, Entry>> } = JSON.parse(readFileSync(file, "utf8"));
const problems: string[] = [];
let optional = 0;

for (const [path, entry] of Object.entries(packages)) {
  for (const [name, wanted] of Object.entries(entry.optionalDependencies ?? {})) {
    optional += 1;
    const found = find(path, name);
    if (found === undefined)
      problems.push(`${path}: the optional dependency ${name}@${wanted} has no entry.`);
    else if (!satisfies(found.version ?? "", wanted)) {
      problems.push(`${path}: wants ${name}@${wanted}, the entry has ${found.version}.`);
    }
  }
  if (path === "" || entry.link === true || entry.inBundle === true) continue;
  if (entry.integrity === undefined) problems.push(`${path}: no integrity hash.`);
  if (entry.resolved !== undefined && !entry.resolved.startsWith("https://registry.npmjs.org/")) {
    problems.push(`${path}: resolved to ${entry.resolved}, not to the npm registry.`);
  }
}

for (const problem of problems) console.error(problem);
console.log(
  `${file}: ${Object.keys(packages).length} entries, ${optional} optional dependencies, ${problems.length} problems`,
);
process.exitCode = problems.length === 0 ? 0 : 1;

/** As Node looks a package up: in the own node_modules, then in those of the folders above. */
function find(path: string, name: string): Entry | undefined {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const found = packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`];
    if (found !== undefined || folder === "") return found;
    if (!folder.includes("/node_modules/")) folder = "";
  }
}

/** Enough of semver for what native packages ask for: an exact version, `^`, `~`, or a list of those. */
function satisfies(version: string, wanted: string): boolean {
  return wanted.split("||").some((part) => {
    const range = part.trim();
    if (range === "*" || range === version) return true;
    const [major = "", minor = "", patch = "0"] = range.replace(/^[~^]/, "").split(".");
    const [haveMajor = "", haveMinor = "", havePatch = "0"] = version.split(".");
    if (haveMajor !== major) return false;
    if (range.startsWith("~") || (range.startsWith("^") && major === "0")) {
      return haveMinor === minor && Number.parseInt(havePatch) >= Number.parseInt(patch);
    }
    return (
      range.startsWith("^") &&
      (Number(haveMinor) > Number(minor) ||
        (haveMinor === minor && Number.parseInt(havePatch) >= Number.parseInt(patch)))
    );
  });
}
