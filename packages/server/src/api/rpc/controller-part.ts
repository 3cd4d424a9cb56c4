import type { ServiceImpl } from '@connectrpc/connect';
import type { IsolateController } from '@lanner/protocol/controller';

/** Implementations of some methods of the controller: what one file of this folder contributes. */
export type ControllerPart<Method extends keyof ServiceImpl<typeof IsolateController>> = Pick<
  ServiceImpl<typeof IsolateController>,
  Method
>;
