// The only file that imports node-opcua-client: the part that we use, with its own printing turned off.
import { setDebugLogger, setErrorLogger, setWarningLogger } from 'node-opcua-client';

export {
  AttributeIds,
  BrowseNextRequest,
  BrowseRequest,
  CreateMonitoredItemsRequest,
  CreateSubscriptionRequest,
  coerceNodeId,
  crypto_utils,
  DataChangeFilter,
  DataChangeTrigger,
  DataValue,
  DeadbandType,
  DeleteSubscriptionsRequest,
  type EndpointDescription,
  HistoryReadRequest,
  MessageSecurityMode,
  NodeClass,
  OPCUAClient,
  PublishRequest,
  promoteOpaqueStructure,
  ReadRawModifiedDetails,
  ReadRequest,
  RepublishRequest,
  SecurityPolicy,
  TimestampsToReturn,
  TranslateBrowsePathsToNodeIdsRequest,
  type UserIdentityInfo,
  UserTokenType,
  Variant,
  WriteRequest,
} from 'node-opcua-client';

// The library writes to the console otherwise: standard output belongs to the module's log.
for (const mute of [setDebugLogger, setErrorLogger, setWarningLogger]) mute(() => {});
