// The services speak OpenAPI 3.1; this Swagger UI reads 3.0. Only the spellings that differ are changed, and only for display.

export function forSwaggerUi(text) {
  const document = JSON.parse(text);
  if (!document.openapi?.startsWith("3.1")) return text;
  return JSON.stringify({ ...older(document), openapi: "3.0.3" });
}

function older(value) {
  if (Array.isArray(value)) return value.map(older);
  if (value === null || typeof value !== "object") return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, older(part)]));
  return nullable(bounds(constant(copy)));
}

/** `anyOf: [X, null]` and `type: [x, "null"]` become X with `nullable`. */
function nullable(schema) {
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    return { ...schema, type: types[0], ...(types.length < schema.type.length && { nullable: true }) };
  }
  if (!Array.isArray(schema.anyOf)) return schema;
  const rest = schema.anyOf.filter((part) => part?.type !== "null");
  if (rest.length === schema.anyOf.length) return schema;
  const { anyOf, ...others } = schema;
  if (rest.length > 1) return { ...others, anyOf: rest, nullable: true };
  return rest[0].$ref ? { ...others, allOf: rest, nullable: true } : { ...rest[0], ...others, nullable: true };
}

/** A limit that is itself excluded was a number in 3.1 and is a flag in 3.0. */
function bounds(schema) {
  const copy = { ...schema };
  for (const [exclusive, plain] of [["exclusiveMinimum", "minimum"], ["exclusiveMaximum", "maximum"]]) {
    if (typeof copy[exclusive] !== "number") continue;
    copy[plain] = copy[exclusive];
    copy[exclusive] = true;
  }
  return copy;
}

function constant(schema) {
  if (!("const" in schema) || typeof schema.const === "object") return schema;
  const { const: only, ...others } = schema;
  return { enum: [only], ...others };
}
