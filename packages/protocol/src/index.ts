export { LannerError, isLannerError, toLannerError, type LannerErrorOptions } from './lanner-error.ts';
export { errorCatalogue, type ErrorCode, type ErrorEntry, type Fault, type RpcCode } from './error-catalogue.ts';
export * from './supervisor-api.ts';
export { systemClock, type Clock, type Timer } from './clock.ts';
export { blobRelativePath } from './blob-layout.ts';
