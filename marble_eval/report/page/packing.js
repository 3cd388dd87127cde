// Unpacks a block: base64 of gzip of a JSON header and columns of whole numbers, whose
// bytes lie place by place (packing.py). A missing number becomes NaN.

async function unzipped(text) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function block(id) {
  const bytes = await unzipped(byId(id).textContent);
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const columns = {};
  let place = 4 + length;
  for (const [name, width, count] of header.columns) {
    columns[name] = numbers(bytes, place, width, count);
    place += width * count;
  }
  return { header, columns };
}

function numbers(bytes, start, width, count) {
  const codes = new Float64Array(count);
  for (let place = 0, worth = 1; place < width; place += 1, worth *= 256) {
    const first = start + place * count;
    for (let i = 0; i < count; i += 1) {
      codes[i] += worth * bytes[first + i];
    }
  }
  return codes.map(decoded);
}

// 0 is no value; then come 0, -1, 1, -2, 2, ...
function decoded(code) {
  if (code === 0) {
    return NaN;
  }
  return code % 2 === 1 ? (code - 1) / 2 : -code / 2;
}
