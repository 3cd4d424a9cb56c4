/** An answer's body by its content type: JSON, text, or bytes. */
export async function readAnswer(response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? '';
  if (/\bjson\b/i.test(type)) {
    const text = await response.text();
    if (text === '') return null;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  if (/^(text\/|application\/(xml|x-www-form-urlencoded))/i.test(type) || type === '') return response.text();
  return new Uint8Array(await response.arrayBuffer());
}
