// Renews schema.sqlite.sql from the migrations. A test proves that the committed file is fresh.
import { writeFileSync } from 'node:fs';
import { dumpSchema } from '../src/db/dump-schema.ts';
import { migrate } from '../src/db/migrate.ts';
import { migrationsFolder, readMigrations } from '../src/db/migrations.ts';
import { openSqlite } from '../src/db/sqlite.ts';

const connection = openSqlite(':memory:', 0);
migrate(connection, readMigrations(migrationsFolder('sqlite')), 0);
writeFileSync(new URL('./schema.sqlite.sql', import.meta.url), dumpSchema(connection));
connection.close();
