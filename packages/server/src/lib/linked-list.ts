/** A place in a {@link LinkedList}; hand it back to `delete`. */
export interface ListNode<T> {
  readonly value: T;
  previous: ListNode<T> | null;
  next: ListNode<T> | null;
  isListed: boolean;
}

/**
 * First in, first out, where anybody may leave from the middle, each in constant time. (A `Set` used this way grows slow:
 * finding its first entry walks over those that were deleted before it.)
 */
export class LinkedList<T> implements Iterable<T> {
  #first: ListNode<T> | null = null;
  #last: ListNode<T> | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#first?.value;
  }

  push(value: T): ListNode<T> {
    const node: ListNode<T> = { value, previous: this.#last, next: null, isListed: true };
    if (this.#last) this.#last.next = node;
    else this.#first = node;
    this.#last = node;
    this.#size += 1;
    return node;
  }

  /** @returns false when it had left before. */
  delete(node: ListNode<T>): boolean {
    if (!node.isListed) return false;
    node.isListed = false;
    if (node.previous) node.previous.next = node.next;
    else this.#first = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.#last = node.previous;
    this.#size -= 1;
    return true;
  }

  /** Oldest first. The value just visited may leave meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (let node = this.#first; node; node = node.next) yield node.value;
  }
}
