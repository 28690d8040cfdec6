// Claims-based security: a client puts its token to `$cbs` and is answered on its own `$cbs` receiver.
import { asInt, connectionOf, type Message, type MessageHandler, type Receiver, sendersOf } from './amqp.ts';

export const cbsAddress = '$cbs';

export interface PutTokenAnswer {
  readonly status: number;
  readonly description: string;
}

/** Takes put-token requests of one link; `check` says what to answer, undefined for nothing at all. */
export function cbsHandler(
  receiver: Receiver,
  check: (token: string, name: string) => PutTokenAnswer | undefined,
): MessageHandler {
  return (message, delivery) => {
    const properties = message.application_properties ?? {};
    const isPutToken = properties.operation === 'put-token';
    const answer = isPutToken
      ? check(String(message.body), String(properties.name))
      : { status: 400, description: `unknown operation ${properties.operation}` };
    delivery.accept();
    if (answer) reply(receiver, message, answer);
  };
}

function reply(receiver: Receiver, request: Message, answer: PutTokenAnswer): void {
  // Device clients name the target `cbs`, Event Hubs clients name the link.
  const candidates = sendersOf(connectionOf(receiver)).filter((link) => link.source?.address === cbsAddress);
  const wanted = request.reply_to;
  const sender =
    candidates.find((link) => link.name === wanted || link.target?.address === wanted) ?? candidates[0];
  sender?.send({
    correlation_id: request.message_id as string,
    application_properties: {
      'status-code': asInt(answer.status),
      'status-description': answer.description,
    },
    body: '',
  });
}
