/** The outcome of a file operation, or null where the file or folder is not there (ENOENT). */
export async function ignoringAbsence<T>(operation: Promise<T>): Promise<T | null> {
  try {
    return await operation;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
