// Reads the part of Bicep that bicep.mjs knows into statements.

/** @typedef {{kind: string, line: number, [field: string]: any}} Node */

const types = ['string', 'int', 'bool', 'object', 'array'];

export class Parser {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  /** @returns {never} @param {string} what */
  fail(what, at = this.at) {
    throw new Error(`line ${this.text.slice(0, at).split('\n').length}: ${what}`);
  }

  line() {
    return this.text.slice(0, this.at).split('\n').length;
  }

  /** Blanks; with newlines and comments, too. */
  skip(newlines = false) {
    const blank = newlines ? /(?:[ \t\r\n]|\/\/[^\n]*)*/y : /(?:[ \t\r]|\/\/[^\n]*)*/y;
    blank.lastIndex = this.at;
    this.at += /** @type {RegExpExecArray} */ (blank.exec(this.text))[0].length;
  }

  /** @param {RegExp} pattern sticky @returns {string | undefined} */
  take(pattern, newlines = false) {
    this.skip(newlines);
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return undefined;
    this.at += found[0].length;
    return found[0];
  }

  /** @param {string} sign */
  takes(sign, newlines = false) {
    this.skip(newlines);
    if (!this.text.startsWith(sign, this.at)) return false;
    this.at += sign.length;
    return true;
  }

  /** @param {string} sign */
  expect(sign, newlines = false) {
    if (!this.takes(sign, newlines)) this.fail(`${sign} is missing`);
  }

  name() {
    return this.take(/[A-Za-z_]\w*/y) ?? this.fail('a name is missing');
  }

  file() {
    /** @type {Node[]} */
    const statements = [];
    for (;;) {
      this.skip(true);
      if (this.at >= this.text.length) return statements;
      statements.push(this.statement());
    }
  }

  statement() {
    /** @type {Record<string, any>} */
    const marks = {};
    while (this.takes('@', true)) {
      const mark = this.name();
      this.expect('(');
      marks[mark] = this.takes(')') ? true : this.expression();
      if (marks[mark] !== true) this.expect(')');
    }
    this.skip(true);
    const line = this.line();
    const word = this.name();
    const name = this.name();
    if (word === 'param') {
      const type = this.typeName();
      return {
        kind: 'param',
        line,
        name,
        type,
        marks,
        value: this.takes('=') ? this.expression() : undefined,
      };
    }
    if (word === 'output') {
      const type = this.typeName();
      this.expect('=');
      return { kind: 'output', line, name, type, value: this.expression() };
    }
    if (word === 'var') {
      this.expect('=');
      return { kind: 'var', line, name, value: this.expression() };
    }
    if (word !== 'resource') this.fail(`${word} is not known`);
    const of = this.plainText();
    const isExisting = this.take(/existing\b/y) !== undefined;
    this.expect('=');
    const condition = this.take(/if\b/y) === undefined ? undefined : this.inBrackets();
    const body = this.expression();
    if (body.kind !== 'object') this.fail('a resource has a body');
    return { kind: 'resource', line, name, of, isExisting, condition, body };
  }

  typeName() {
    const type = this.name();
    return types.includes(type) ? type : this.fail(`${type} is no type`);
  }

  plainText() {
    const text = this.expression();
    return text.kind === 'text' && text.parts.length === 1 && typeof text.parts[0] === 'string'
      ? text.parts[0]
      : this.fail('a plain text is missing');
  }

  inBrackets() {
    this.expect('(');
    const inner = this.expression();
    this.expect(')', true);
    return inner;
  }

  /** @returns {Node} */
  expression() {
    const line = this.line();
    const test = this.or();
    if (!this.takes('?')) return test;
    const yes = this.expression();
    this.expect(':', true);
    return { kind: 'call', line, name: 'if', args: [test, yes, this.expression()] };
  }

  or() {
    return this.joined('||', 'or', () => this.joined('&&', 'and', () => this.equal()));
  }

  /** @param {string} sign @param {string} name @param {() => Node} inner @returns {Node} */
  joined(sign, name, inner) {
    let left = inner();
    while (this.takes(sign)) left = { kind: 'call', line: left.line, name, args: [left, inner()] };
    return left;
  }

  equal() {
    const left = this.unary();
    if (this.takes('=='))
      return { kind: 'call', line: left.line, name: 'equals', args: [left, this.unary()] };
    return left;
  }

  /** @returns {Node} */
  unary() {
    if (this.takes('!')) return { kind: 'call', line: this.line(), name: 'not', args: [this.unary()] };
    let value = this.primary();
    while (this.takes('.')) {
      const line = this.line();
      const name = this.name();
      value = this.takes('(')
        ? { kind: 'method', line, of: value, name, args: this.args() }
        : { kind: 'member', line, of: value, name };
    }
    return value;
  }

  args() {
    /** @type {Node[]} */
    const args = [];
    if (this.takes(')', true)) return args;
    do args.push(this.expression());
    while (this.takes(',', true));
    this.expect(')', true);
    return args;
  }

  /** @returns {Node} */
  primary() {
    this.skip();
    const line = this.line();
    if (this.takes('(')) {
      const inner = this.expression();
      this.expect(')');
      return inner;
    }
    if (this.takes('[')) return { kind: 'array', line, items: this.items(']', () => this.expression()) };
    if (this.takes('{')) return { kind: 'object', line, fields: this.items('}', () => this.field()) };
    if (this.takes("'")) return { kind: 'text', line, parts: this.textParts() };
    const number = this.take(/-?\d+/y);
    if (number !== undefined) return { kind: 'value', line, value: Number(number) };
    const name = this.name();
    if (name === 'true' || name === 'false') return { kind: 'value', line, value: name === 'true' };
    if (name === 'null') return { kind: 'value', line, value: null };
    return this.takes('(') ? { kind: 'call', line, name, args: this.args() } : { kind: 'name', line, name };
  }

  /** A line each. @template T @param {string} end @param {() => T} item @returns {T[]} */
  items(end, item) {
    /** @type {T[]} */
    const items = [];
    for (;;) {
      this.skip(true);
      if (this.takes(end)) return items;
      items.push(item());
      this.skip();
      if (!this.text.startsWith(end, this.at) && !/^[\r\n]/.test(this.text.slice(this.at)))
        this.fail('the end of the line is missing');
    }
  }

  field() {
    const line = this.line();
    /** @type {Node | string} */
    const key = this.takes("'") ? { kind: 'text', line, parts: this.textParts() } : this.name();
    this.expect(':');
    return { key, value: this.expression() };
  }

  /** @returns {(string | Node)[]} */
  textParts() {
    /** @type {(string | Node)[]} */
    const parts = [];
    let text = '';
    for (;;) {
      const char = this.text[this.at];
      if (char === undefined || char === '\n') this.fail("' is missing");
      this.at++;
      if (char === "'") break;
      if (char === '\\') text += this.text[this.at++];
      else if (char === '$' && this.text[this.at] === '{') {
        this.at++;
        if (text !== '') parts.push(text);
        text = '';
        parts.push(this.expression());
        this.expect('}');
      } else text += char;
    }
    if (text !== '' || parts.length === 0) parts.push(text);
    return parts;
  }
}
