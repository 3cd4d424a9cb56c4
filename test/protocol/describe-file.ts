import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescService,
  ScalarType,
} from '@bufbuild/protobuf';

/**
 * Everything about a proto file that decides what is on the wire or what generated code offers, one fact per line and
 * in the same order whatever order the file has.
 */
export function describeFile(file: DescFile): string[] {
  const lines = [`syntax: ${file.proto.syntax}`, `package: ${file.proto.package || '(none)'}`];
  for (const service of file.services) lines.push(...describeService(service));
  for (const message of file.messages) lines.push(...describeMessage(message));
  for (const enumeration of file.enums) lines.push(...describeEnum(enumeration));
  return lines.sort();
}

function describeService(service: DescService): string[] {
  return [
    `service ${service.typeName}`,
    ...service.methods.map(
      (method) =>
        `rpc ${service.typeName}.${method.name}: ${method.methodKind} ${method.input.typeName} -> ${method.output.typeName}`,
    ),
  ];
}

function describeMessage(message: DescMessage): string[] {
  return [
    `message ${message.typeName}`,
    ...message.fields.map((field) => `field ${message.typeName}.${describeField(field)}`),
    ...message.oneofs.map(
      (oneof) => `oneof ${message.typeName}.${oneof.name}: ${oneof.fields.map((field) => field.name).join(', ')}`,
    ),
    ...message.nestedMessages.flatMap(describeMessage),
    ...message.nestedEnums.flatMap(describeEnum),
  ];
}

function describeField(field: DescField): string {
  const traits = [
    typeOf(field),
    label(field),
    field.oneof && `oneof ${field.oneof.name}`,
    field.deprecated && 'deprecated',
    field.fieldKind === 'list' && (field.packed ? 'packed' : 'unpacked'),
  ];
  return `${field.name} = ${field.number}: ${traits.filter(Boolean).join(', ')}`;
}

/** `optional` is a keyword in the file; `explicit` is what messages and members of a oneof have without it. */
function label(field: DescField): string {
  if (field.fieldKind === 'list') return 'repeated';
  if (field.fieldKind === 'map') return 'map';
  if (field.proto.proto3Optional) return 'optional';
  return field.presence === 2 ? 'implicit' : 'explicit';
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case 'scalar':
      return ScalarType[field.scalar];
    case 'message':
      return field.message.typeName;
    case 'enum':
      return field.enum.typeName;
    case 'list':
      return elementType(field.listKind, field);
    case 'map':
      return `map<${ScalarType[field.mapKey]}, ${elementType(field.mapKind, field)}>`;
  }
}

function elementType(kind: 'scalar' | 'message' | 'enum', field: DescField): string {
  if (kind === 'message') return field.message!.typeName;
  if (kind === 'enum') return field.enum!.typeName;
  return ScalarType[field.scalar!];
}

function describeEnum(enumeration: DescEnum): string[] {
  return [
    `enum ${enumeration.typeName}`,
    ...enumeration.values.map((value) => `value ${enumeration.typeName}.${value.name} = ${value.number}`),
  ];
}
