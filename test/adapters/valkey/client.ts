/** The client that the tests use. */
import { createClient } from '@redis/client';

export const connectTo = (url: string) => (settings: object) => createClient({ url, ...settings });
