// A stored event as consumers receive it, with the annotations of Event Hubs and of IoT Hub.
import { asLong, asTimestamp, dataSection, type Message } from './amqp.ts';
import type { StoredEvent } from './event-log.ts';

/** `last`, the newest event of the partition, for consumers that asked to be told of it. */
export function toMessage(event: StoredEvent, last: StoredEvent | undefined): Message {
  const { system } = event;
  return {
    ...(last === undefined ? {} : { delivery_annotations: metric(last) }),
    message_annotations: {
      'x-opt-sequence-number': asLong(event.sequence),
      'x-opt-offset': String(event.offset),
      'x-opt-enqueued-time': asTimestamp(event.enqueuedAt),
      'iothub-connection-device-id': event.deviceId,
      ...(event.moduleId === undefined ? {} : { 'iothub-connection-module-id': event.moduleId }),
      'iothub-connection-auth-method': '{"scope":"device","type":"sas","issuer":"iothub"}',
      'iothub-enqueuedtime': asTimestamp(event.enqueuedAt),
      'iothub-message-source': 'Telemetry',
      ...(system.outputName === undefined ? {} : { 'iothub-outputname': system.outputName }),
    },
    ...(system.messageId === undefined ? {} : { message_id: system.messageId }),
    ...(system.correlationId === undefined ? {} : { correlation_id: system.correlationId }),
    ...(system.contentType === undefined ? {} : { content_type: system.contentType }),
    ...(system.contentEncoding === undefined ? {} : { content_encoding: system.contentEncoding }),
    application_properties: event.properties as Record<string, unknown>,
    body: dataSection(event.body),
  } as Message;
}

function metric(last: StoredEvent): Record<string, unknown> {
  return {
    last_enqueued_sequence_number: asLong(last.sequence),
    last_enqueued_offset: String(last.offset),
    last_enqueued_time_utc: asTimestamp(last.enqueuedAt),
    runtime_info_retrieval_time_utc: asTimestamp(Date.now()),
  };
}
