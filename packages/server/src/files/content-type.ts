export const unknownContentType = 'application/octet-stream';

const form =
  /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}(?:[ \t]*;[ \t]*[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[^"\\\r\n]*"))*[ \t]*$/;

/** A content type that can be sent back as it is; anything else counts as unknown. Pure. */
export function toContentType(sent: string | null | undefined): string {
  const text = sent?.trim() ?? '';
  return text.length <= 255 && form.test(text) ? text : unknownContentType;
}

/** Types that browsers run code of, when they are opened. */
const active =
  /^(?:text\/(?:html|xml|xsl|javascript|ecmascript)|application\/(?:[\w.-]*\+?xml|xhtml\+xml|javascript|ecmascript|x-javascript|pdf)|[\w-]+\/[\w.-]+\+xml|multipart\/.*|message\/.*)$/;

/** Whether a browser should save it rather than open it. Pure. */
export function isActiveContent(contentType: string): boolean {
  return active.test(contentType.split(';')[0]!.trim().toLowerCase());
}
