import { useState } from "react";
import type { Stream } from "../../api/types.ts";
import { Dialog } from "../../components/dialog.tsx";
import { JsonView } from "../../components/json-view.tsx";
import { Panel } from "../../components/page.tsx";
import { Empty } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { fieldsOf } from "./fields.ts";

const columns: readonly Column<Stream>[] = [
  { id: "name", title: "Stream", cell: ({ name }) => <strong>{name}</strong> },
  { id: "key", title: "Key", cell: ({ key }) => key?.join(", ") ?? <span className="soft">–</span> },
  {
    id: "cursor",
    title: "Can be read incrementally by",
    cell: ({ cursor_fields: fields }) => fields?.join(", ") || <span className="soft">–</span>,
  },
  {
    id: "fields",
    title: "Fields",
    width: "minmax(0, 2fr)",
    cell: ({ schema }) => <span title={fieldsOf(schema)}>{fieldsOf(schema)}</span>,
  },
];

/** What a connector has, as it says itself. */
export function Streams({ streams }: { streams: readonly Stream[] }) {
  const [shown, setShown] = useState<Stream | null>(null);
  return (
    <Panel title={`Streams (${streams.length})`}>
      <Table
        label="Streams"
        columns={columns}
        rows={streams}
        rowKey={({ name }) => name}
        onOpen={setShown}
        empty={<Empty title="It has no streams">It can be reached, and there is nothing in it yet.</Empty>}
      />
      <Dialog title={shown?.name ?? ""} isOpen={shown !== null} onClose={() => setShown(null)} size="large">
        {shown && <JsonView value={shown.schema} label={`Schema of ${shown.name}`} />}
      </Dialog>
    </Panel>
  );
}
